module github.com/netcinch/netcinch/recommender/policy/oracle

go 1.26.0

replace github.com/netcinch/netcinch => ../../..
