# Shortens what go test -v prints, package by package: of one that passed its ok line, and each skipped test with what
# it said; of one that failed, everything. What belongs to no package that came to its end is printed too.

# What go test says itself about a package that has no trouble.
/^ok  \t[^\t ]+\t([0-9.]+s|\(cached\))/ || /^\?   \t[^\t ]+\t\[no test files\]$/ {
	for (i = 1; i <= skips; i++) print skip[i]
	print
	forget()
	next
}

/^FAIL\t[^\t ]+(\t[0-9.]+s| \[(build|setup) failed\])$/ {
	print_all()
	print
	forget()
	next
}

{ line[++lines] = $0 }

# From here on a test has the word.
/^=== (RUN|CONT|NAME) / {
	test = $3
	next
}

/^=== PAUSE / { next }

# At the end of the line only, since a test may have printed something without a line's end before.
/--- SKIP: [^ ]+ \([0-9.]+s\)$/ {
	name = $(NF - 1)
	for (i = 1; i <= said[name]; i++) skip[++skips] = words[name, i]
	skip[++skips] = $0
	next
}

/--- (PASS|FAIL): [^ ]+ \([0-9.]+s\)$/ { next }

{ words[test, ++said[test]] = $0 }

END { print_all() }

function print_all(    i) {
	for (i = 1; i <= lines; i++) print line[i]
}

function forget() {
	fflush()
	lines = skips = 0
	test = ""
	split("", line)
	split("", skip)
	split("", said)
	split("", words)
}
