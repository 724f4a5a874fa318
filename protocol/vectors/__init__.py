"""Golden vectors: plain files in the folders beside this one, and the code that writes them."""
