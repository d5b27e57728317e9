"""What a person looks at: kernels, findings."""
