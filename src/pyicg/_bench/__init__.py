"""What ``pyicg bench`` measures: the same work by pyicg and by its peers, on a simulated frame."""
