"""What a survey is made of: every module here has its ``PARTS``."""
