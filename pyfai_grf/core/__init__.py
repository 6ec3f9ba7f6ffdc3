"""The ground floor: records, units, errors, the parameter table and the array backend."""
