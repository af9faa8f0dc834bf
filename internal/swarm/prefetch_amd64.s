#include "textflag.h"

// func prefetchLines(p unsafe.Pointer, n uint32)
TEXT ·prefetchLines(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), AX
	MOVL n+8(FP), CX

line:
	PREFETCHT0 (AX)
	ADDQ       $64, AX
	SUBL       $1, CX
	JGT        line
	RET
