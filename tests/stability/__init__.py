"""False alarms: the clean suite under everything that may legitimately change, over and over."""
