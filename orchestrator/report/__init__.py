"""What a sweep found, for others: one page, logs for TensorBoard, runs of MLflow."""
