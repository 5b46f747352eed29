"""What can be explained in, numbers and formulas that show why out: one module a question.

Only those that ask TensorFlow import it, and only those that derive formulas import SymPy.
"""
