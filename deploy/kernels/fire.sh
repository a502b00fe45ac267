# SPDX-License-Identifier: Apache-2.0
#
# What is run on another kernel: what an agent finds there, then programs on
# crafted packets and on real ones in real namespaces. A test for each thing
# that loads or fires in a way of its own; all of them would take an hour here.
failed=0
./netcinch-agent status || failed=1
./netcinch-agent status -o json | grep '"reason"' | cut -c1-400
try() {
	echo "== $1 $2"
	"./$1" -test.v -test.timeout 400s -test.run "$2" >log 2>&1 || failed=1
	grep -E '^ *--- |^(PASS|FAIL|panic)|_test.go:' log | cut -c1-400
}
try bpf.test '^(TestIPv4Headers|TestFullRingCountsLosses)$'
try capture.test '^(TestTCP|TestUDP|TestRefused|TestPing)$'
exit $failed
