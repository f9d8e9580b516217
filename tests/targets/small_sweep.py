"""The sweep that the cluster is given."""

SPEC = """
name: far
system: pix2pix
data: {{uri: "{shards}", image: 32, batch: 8, replicas: 2, augment: {{jitter: 1.0}}}}
steps: {steps}
hyper: {{width: 4, critic: patch16, critic_width: 4}}
search:
  weights.l1: {{log_uniform: [10, 200]}}
trials: {trials}
objective: {{metric: eval/ssim, mode: max}}
every: {{report: 10, evaluate: 100, checkpoint: 50}}
storage: "{storage}"
"""
