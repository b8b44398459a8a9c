"""nn.Modules that know no loss, no optimizer and no Lightning."""
