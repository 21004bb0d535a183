"What every implementation of one protocol must do, written down once."
