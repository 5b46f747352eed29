"""Papers and topics of the course notes that rules of several modules refer to."""

from __future__ import annotations

GLOROT = "Glorot and Bengio (2010), Understanding the difficulty of training deep networks"
OUTPUT = "Course notes: choosing the output layer's activation"
BISHOP = "Bishop (2006), Pattern Recognition and Machine Learning, section 5.2"
PROBABILISTIC = "https://keras.io/api/losses/probabilistic_losses/"
