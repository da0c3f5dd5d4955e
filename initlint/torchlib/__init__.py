"""What is known of torch: what its functions make, draw and leave behind; torch is not needed."""
