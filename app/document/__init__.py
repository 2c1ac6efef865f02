"""What a person works on, as immutable states without Qt: cases, changes, what can be taken back, the memory it holds, its file."""
