@main struct Banjie { static func main() {} }
