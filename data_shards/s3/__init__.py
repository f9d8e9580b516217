"""The store that speaks S3, and how it brings bytes here whole and right."""
