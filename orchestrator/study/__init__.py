"""Real or fake: a study with people, as one page to send, and what their answers come to."""
