"""Fast weights: the matrices of the gated delta rule, written token by token and read at constant cost.

Read `reference.py` first: it is the definition. `graph.py` is the same in ordinary MLX operations, `pick.py` takes the fastest
way there is: `gated_delta(q, k, v, decay, beta, state=None) -> (out, state)`.
"""
