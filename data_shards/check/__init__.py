"""Looking at data sets: every checksum, numbers, a contact sheet."""
