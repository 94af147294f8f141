"""Write scikit-learn's handwritten digits to DIRECTORY/digits.csv."""

import csv
import sys
from pathlib import Path

from sklearn.datasets import load_digits


def main(directory: Path) -> None:
    pixels, labels = load_digits(return_X_y=True)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "digits.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([f"pixel_{index}" for index in range(pixels.shape[1])] + ["label"])
        for row, label in zip(pixels, labels, strict=True):
            rows.writerow([*(int(pixel) for pixel in row), int(label)])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_data.py DIRECTORY")
    main(Path(sys.argv[1]))
