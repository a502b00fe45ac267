package policy

import "github.com/netcinch/netcinch/recommender/cluster"

type calicoWorld struct{}

func (c *compiler) prepare([]cluster.Object)               {}
func (c *compiler) calicoObject(*cluster.Object) bool      { return false }
func (c *compiler) clusterWideObject(*cluster.Object) bool { return false }
