"""The sweep file of most tests on a real Ray: a tiny pix2pix over 60 pairs of pictures, a search over one weight."""

SPEC = """
name: small
system: pix2pix
data: {{uri: "{shards}", image: 32, batch: 8, replicas: 2, augment: {{jitter: 1.0}}}}
steps: {steps}
hyper: {{width: 4, critic: patch16, critic_width: 4}}
search:
  weights.l1: {{log_uniform: [10, 200]}}
trials: {trials}
objective: {{metric: eval/ssim, mode: max}}
every: {{report: 5, evaluate: {evaluate}, checkpoint: {evaluate}}}
"""
