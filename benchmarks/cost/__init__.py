"""What a migration and an hour's hold cost on AWS, and how large their histories grow."""
