// Package archtest holds the repository's rules as tests: which package may import
// which, how long a file and a function may grow, and what no test may do.
// It has no code of its own outside its tests.
package archtest
