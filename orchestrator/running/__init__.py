"""What one does around a running or dead sweep: look, follow, stop, go on."""
