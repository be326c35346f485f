"""`python -m roi` is the command `roi`."""

from roi.cli import main

if __name__ == "__main__":
    main(prog_name="roi")
