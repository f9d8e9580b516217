"""The processes that train a trial, one in a Tune actor or a group by Ray Train, and who watches over them."""
