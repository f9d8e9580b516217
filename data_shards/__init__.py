"""What is read: shards of pictures, their manifest, and the endless, addressable order of samples drawn from them.

Writers make a data set once (`openmoji`, `digits`, `folder` over `writer`); readers look it up (`manifest`, `store`)
and draw from it (`stream` over `order`, `augment`, `decode`, `reader`). Everything here is numpy, without torch and
without Ray. `cluster/` may import any module of this folder, `orchestrator/` the manifest, the errors and the
builders; nothing here imports `trainers/`, `cluster/` or `orchestrator/`.
"""
