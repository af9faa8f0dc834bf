package daemon

import "os"

func memoryOfSystem() int64 { return memoryLimit(os.DirFS("/")) }
