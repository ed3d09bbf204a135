"""Warp kernel that counts pairs in and out of order: one source for CPU and CUDA."""

# Annotations here are values for Warp's compiler, not types for a type checker.
# mypy: ignore-errors

import warp as wp

wp.set_module_options({"enable_backward": False, "use_precompiled_headers": False})


@wp.func
def weight_below(tree: wp.array2d(dtype=wp.int64), row: int, key: int):
    """Weight of the entries in a row of trees whose keys are less than `key`."""
    total = wp.int64(0)
    node = key
    while node > 0:
        total += tree[row, node]
        node = node & (node - 1)
    return total


@wp.kernel
def tau(
    values: wp.array2d(dtype=wp.float64),
    order: wp.array2d(dtype=wp.int64),
    keys: wp.array2d(dtype=wp.int32),
    weights: wp.array2d(dtype=wp.int32),
    rows: wp.array2d(dtype=wp.int32),
    lanes: int,
    levels: int,
    tree: wp.array2d(dtype=wp.int64),
    out: wp.array(dtype=wp.float64),
):
    """Kendall's tau-a of one row after another, in each lane.

    The entries come in the order of a, those that are tied in it together. A binary indexed tree
    over the keys of b holds the weight of all that came before; what of it is less than the key
    of an entry is in order with it, what is greater is out of order.
    """
    lane = wp.tid()
    row = lane
    while row < rows.shape[0]:
        a = rows[row, 0]
        b = rows[row, 1]
        w = rows[row, 2]
        for node in range(levels + 1):
            tree[lane, node] = wp.int64(0)
        drawn = wp.int64(0)
        agreement = wp.int64(0)
        groups = wp.int32(0)
        lowest = levels
        highest = wp.int32(-1)
        start = wp.int32(0)
        while start < order.shape[1]:
            end = start
            tied = wp.bool(True)
            while tied:
                entry = wp.int32(order[a, end])
                weight = wp.int64(weights[w, entry])
                if weight > wp.int64(0):
                    key = keys[b, entry]
                    upto = weight_below(tree, lane, key + 1)
                    agreement += weight * (weight_below(tree, lane, key) + upto - drawn)
                end += 1
                tied = wp.bool(False)
                if end < order.shape[1]:
                    tied = values[a, end] == values[a, start]
            before = drawn
            for place in range(start, end):
                entry = wp.int32(order[a, place])
                weight = wp.int64(weights[w, entry])
                if weight > wp.int64(0):
                    key = keys[b, entry]
                    drawn += weight
                    lowest = wp.min(lowest, key)
                    highest = wp.max(highest, key)
                    node = key + 1
                    while node <= levels:
                        tree[lane, node] += weight
                        node += node & (-node)
            if drawn > before:
                groups += 1
            start = end
        out[row] = wp.float64(wp.nan)
        if groups > 1 and highest > lowest:
            pairs = wp.float64(drawn) * wp.float64(drawn - wp.int64(1)) / wp.float64(2.0)
            out[row] = wp.float64(agreement) / pairs
        row += lanes
