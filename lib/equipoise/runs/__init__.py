"""What a run is: its events, and what follows from them for the next stage."""
