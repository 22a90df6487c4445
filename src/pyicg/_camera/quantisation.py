"""What rounding to whole counts does to noise, per EMVA 1288 Release 4.0 Linear."""

QUANTISATION_DN2 = 1.0 / 12.0  # variance of the rounding itself
# Dark noise of a smaller variance hides between two counts; the standard then puts 0.49 DN in its place.
UNRESOLVED_DN2, UNRESOLVED_DN = 0.24, 0.49
