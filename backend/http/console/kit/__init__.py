"""What every page is made of: blueprint, guards, forms and their errors, navigation, assets."""
