scenario_x() { :; }
