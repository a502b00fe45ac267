package recommend

import (
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
)

func BenchmarkZZ(b *testing.B) {
	m := newMetropolis(b, 100, 200_000)
	for b.Loop() {
		report, list := m.advise(b)
		runtime.GC()
		f, _ := os.Create("/tmp/e1/heap.prof")
		pprof.WriteHeapProfile(f)
		f.Close()
		runtime.KeepAlive(report)
		runtime.KeepAlive(list)
	}
}
