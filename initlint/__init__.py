"""initlint: are my weights initialised right?"""
