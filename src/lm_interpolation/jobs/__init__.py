"""What every job needs: errors, logs, locks, leases of GPUs, whole files, records."""
