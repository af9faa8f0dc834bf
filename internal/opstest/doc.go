// Package opstest holds what operators are given to the truth: the units, the
// image, the alerts and the dashboard of deploy/ are tried with the built
// binary, the commands of README and docs are run, and the built tracker meets
// bad days by a supervisor that answers its system calls, which are those of a 64-bit
// program: with GOARCH=386 or arm these tests are left out.
// It has no code of its own outside its tests.
package opstest
