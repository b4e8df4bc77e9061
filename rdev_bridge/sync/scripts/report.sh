# Answers `generation`, then what stands at every path that the plan looks at.
enter
generation
plan || leave failed "the list of files did not arrive whole"
checks
leave looked "$now"
