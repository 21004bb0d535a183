"""Fast weights: the matrices of the gated delta rule, written token by token and read at constant cost.

Read `reference.py` first: it is the definition. `graph.py` is the same in ordinary MLX operations, `pick.py` takes the fastest
way there is: `gated_delta(q, k, v, decay, beta, state=None) -> (out, state)`.

On it rests a memory for what has left the context window: `layer.py` (one layer), `memory.py` (layers on a base, naps),
`keeping.py` (states on disk), `window.py` (a conversation at constant memory).
"""
