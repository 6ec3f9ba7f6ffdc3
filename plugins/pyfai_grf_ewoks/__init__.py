"""ewoks tasks of pyfai-grf; importing this loads none of them, ewoks finds them in ``pyfai_grf_ewoks.tasks``."""
