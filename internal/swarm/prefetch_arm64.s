#include "textflag.h"

// func prefetchLines(p unsafe.Pointer, n uint32)
TEXT ·prefetchLines(SB), NOSPLIT, $0-12
	MOVD  p+0(FP), R0
	MOVWU n+8(FP), R1

line:
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0
	SUBS $1, R1
	BGT  line
	RET
