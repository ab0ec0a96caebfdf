"""How deliveries are taken in and read, and what the Team page costs where very much happened."""
