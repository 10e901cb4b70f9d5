"""What is looked at before anything is touched, and what must be so."""
