"""ewoks tasks of pyfai-grf."""
