"""Fitting: the weights of evidence, answerability and fusion, computed again from labelled sets.

`python -m assistant.measure.fit FOLDER…` prints the shipped values beside the refitted ones. The shipped ones were
fitted for multilingual-e5-small on the sets that `fit.FITTED_ON` names, on searches made shortly before the last
changes of the search. The weight of words in the fusion was then chosen among nearly equal values (`FusionWeights`).
"""
