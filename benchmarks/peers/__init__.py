"""The rivals, one a file: `scores(train_x, train_y, test_x)` gives the probabilities of the test rows.

Inputs are (n, columns) with NaN for missing, recency first. A customer's rows lie together and customers come in random
order, so that unshuffled folds of rows are folds of customers.
"""
