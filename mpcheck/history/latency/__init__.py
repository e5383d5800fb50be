"""What is kept: baselines per device, measured false-alarm rates, histories and their change points."""
