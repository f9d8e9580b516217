"""What one does with trained models: translate, draw, export."""
