"""The course notes' own script, as a student types it: what `tftrain fit` is measured against.

`python benchmarks/notes_script.py` trains on all 360 rows as the notes do; with `--training-rows`
on as many as the config's training split holds.
"""

import sys

import keras
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)
X, y = X[y < 2], y[y < 2]  # noqa: PLR2004 - the digits 0 and 1
if "--training-rows" in sys.argv:
    rows = int(0.6 * len(X))
    X, y = X[:rows], y[:rows]

model = keras.Sequential(
    [
        keras.layers.Dense(25, activation="sigmoid"),
        keras.layers.Dense(15, activation="sigmoid"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(loss=keras.losses.BinaryCrossentropy())
model.fit(X, y, epochs=100)
