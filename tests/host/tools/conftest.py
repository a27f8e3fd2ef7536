"""Makes the modules of tools/, and what the tests share, importable for the tests."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "..", "tools"))
sys.path.insert(0, os.path.dirname(__file__))
